"""Resources of the meetings backend, which makes a video, a transcript and a summary of every recording."""
