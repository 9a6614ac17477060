"""Cost tables of the requirements, the documents from which the program was built. Each line has the cost that the
requirements state, and the cost computed from the stated usage and today's prices. `docs/cost.md` shows the tables.
"""

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
