"""Resources of transcription, which turns speech into live captions."""
