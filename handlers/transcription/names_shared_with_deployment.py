"""Names that transcription's functions share with the deployment: metrics, a log event and a subprotocol.

Alarms use the metric names and the log event. The stack output contains the WebSocket subprotocol.

An utterance is a few seconds of speech, which a client sends in one message. Amazon Transcribe sends a result, a piece
of the recognised speech, as several partial versions and a final one.
"""

METRICS_NAMESPACE = "AudioTranscription/PartialResults"
LATENCY_METRIC = "PartialResultProcessingLatency"
"""Delay of each caption in milliseconds, as `CaptionDelivery.latencies_ms` defines it."""
DROPPED_METRIC = "PartialResultsDropped"
"""Number of partials that were not shown, because the rate of captions is limited."""
ORPHANS_METRIC = "OrphanedResultsFlushed"
"""Number of results that never became final."""
FALLBACK_METRIC = "TranscribeFallbackTriggered"
"""1 for each invocation that showed only final captions from some moment on, or whose stream failed. The causes are a
failed stream, captions that came too late to be delivered, and partials in which Amazon Transcribe marked no words as
stable or unstable."""
GIVEN_UP_EVENT = "utterance_given_up"
"""Log event of the audio processor for an utterance that is not transcribed and not sent again. An alarm counts it."""
PROTOCOL = "polyphony.transcription.v1"
"""WebSocket subprotocol that the client offers and the router selects. The client offers its token as a second
subprotocol, which the router never returns."""
