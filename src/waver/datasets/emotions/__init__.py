"""Pictures of faces with basic emotions, for the first stage of the visual backbone."""
