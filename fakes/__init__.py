"""Stand-ins for every port, fed with data, with their state in the open."""
