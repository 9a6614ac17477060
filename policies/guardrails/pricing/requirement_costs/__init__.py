"""The requirements' cost tables, computed again line by line with their own usage and today's prices."""

from guardrails.pricing.requirement_costs import ingestion, meetings, transcription, voice_qa
from guardrails.pricing.requirement_costs.cost_table import CostTable, CostTableLine, PromisedSaving, SettingSaving

COST_TABLES: tuple[CostTable, ...] = (
    ingestion.COST_TABLE,
    meetings.COST_TABLE,
    transcription.COST_TABLE,
    voice_qa.COST_TABLE,
)

__all__ = ["COST_TABLES", "CostTable", "CostTableLine", "PromisedSaving", "SettingSaving"]
