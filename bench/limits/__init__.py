"""limits: are the limits kept, and used? What counts is what the model server saw, on its own clock."""
