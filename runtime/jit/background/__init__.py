"""Who compiles, and who waits for it: a process beside this one, so that calls in mode "auto" go on meanwhile."""
