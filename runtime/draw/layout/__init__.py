"""Where the parts of a picture go: `layers` (columns and their order), `places` (heights), `routes` (curves)."""
