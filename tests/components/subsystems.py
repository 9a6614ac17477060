"""Deployments of the subsystems with their default settings, for tests that are about all of them."""

from components.core import Subsystem
from tests.components.ingestion.recorded_deployment import INGESTION
from tests.components.livestream.recorded_deployment import LIVESTREAM
from tests.components.meetings.recorded_deployment import MEETINGS
from tests.components.transcription.recorded_deployment import TRANSCRIPTION
from tests.components.voice_qa.recorded_deployment import VOICE_QA

DEPLOYMENTS = {
    Subsystem.INGESTION: INGESTION,
    Subsystem.TRANSCRIPTION: TRANSCRIPTION,
    Subsystem.VOICE_QA: VOICE_QA,
    Subsystem.LIVESTREAM: LIVESTREAM,
    Subsystem.MEETINGS: MEETINGS,
}
