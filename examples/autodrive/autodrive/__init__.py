"""A car that drives a course by what a served planner network sees in its lidar."""
