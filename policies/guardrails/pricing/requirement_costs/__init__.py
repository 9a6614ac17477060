"""The requirements' cost tables, priced anew: the documents' own usage, today's prices, line by line."""

from guardrails.pricing.requirement_costs import ingestion, meetings, transcription, voice_qa
from guardrails.pricing.requirement_costs.cost_table import CostTable, CostTableLine, PromisedSaving, SettingSaving

COST_TABLES: tuple[CostTable, ...] = (
    ingestion.COST_TABLE,
    meetings.COST_TABLE,
    transcription.COST_TABLE,
    voice_qa.COST_TABLE,
)

__all__ = ["COST_TABLES", "CostTable", "CostTableLine", "PromisedSaving", "SettingSaving"]
