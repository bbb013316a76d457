"""Calls as other libraries' threads make them, without Python."""
