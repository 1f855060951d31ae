"""What every REST role shares."""
