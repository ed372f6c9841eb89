"""The end-to-end scenario, told by each client as a transcript of lines that two right servers agree on."""
