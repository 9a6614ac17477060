"""Cost tables of the requirements. Each stated cost is computed again, line by line, with the stated usage and today's prices."""

from guardrails.pricing.requirements_cost_tables import ingestion, meetings, transcription, voice_qa
from guardrails.pricing.requirements_cost_tables.cost_table import (
    CostTable,
    CostTableLine,
    PromisedSaving,
    SettingSaving,
)

COST_TABLES: tuple[CostTable, ...] = (
    ingestion.COST_TABLE,
    meetings.COST_TABLE,
    transcription.COST_TABLE,
    voice_qa.COST_TABLE,
)

__all__ = ["COST_TABLES", "CostTable", "CostTableLine", "PromisedSaving", "SettingSaving"]
