"""Names that transcription's functions share with the deployment: metrics, a log event, a subprotocol and an index.

Alarms and dashboards use the metric names and the log event. The stack output contains the WebSocket subprotocol, and
the live table, which stores the state of connections and open sessions, has an index with the name `DUE_INDEX`.

An utterance is a few seconds of speech, which a client sends in one message. Amazon Transcribe sends a result, a piece
of the recognised speech, as several partial versions and a final one.
"""

METRICS_NAMESPACE = "AudioTranscription/PartialResults"
LATENCY_METRIC = "PartialResultProcessingLatency"
"""Delay of each caption in milliseconds, as `CaptionDelivery.latencies_ms` defines it."""
DROPPED_METRIC = "PartialResultsDropped"
"""Number of partials that the rate limit suppressed."""
ORPHANS_METRIC = "OrphanedResultsFlushed"
"""Number of results that never became final."""
FALLBACK_METRIC = "TranscribeFallbackTriggered"
"""1 for each invocation in which a stream failed, captions came too late to be delivered, or Amazon Transcribe
marked no words of the partials as stable or unstable."""
GIVEN_UP_EVENT = "utterance_given_up"
"""Log event of the audio processor for an utterance that is not transcribed and not sent again. An alarm counts it."""
PROTOCOL = "polyphony.transcription.v1"
"""WebSocket subprotocol that the client offers and the router selects. The client offers its token as a second
subprotocol, which the router never returns."""
DUE_INDEX = "due"
"""Sparse index of the live table. It contains only sessions with utterances in progress, sorted by the earliest
deadline of these utterances."""
