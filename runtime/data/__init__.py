"""What users give: graphs, dense inputs, symbols and files, checked."""
