"""What the trainings of both verse models share."""
