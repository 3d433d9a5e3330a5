"""The files of a folder: what is there, what describes it, what is left out."""
