"""From a video to arrays: the frame clock, faces, log-mel, speech, words."""
