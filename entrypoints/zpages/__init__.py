"""Pages that show what a program does, and did lately: by its own spans."""
