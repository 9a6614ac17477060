"""The requirements' cost tables, priced anew: the documents' own usage, today's prices, line by line."""

from guardrails.pricing.requirement_costs import ingestion, meetings, transcription, voice_qa
from guardrails.pricing.requirement_costs.cost_table import Document, Position, Saving, Step

DOCUMENTS: tuple[Document, ...] = (ingestion.DOCUMENT, meetings.DOCUMENT, transcription.DOCUMENT, voice_qa.DOCUMENT)

__all__ = ["DOCUMENTS", "Document", "Position", "Saving", "Step"]
