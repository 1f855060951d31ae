"""What the domain needs from the world, named by role."""
