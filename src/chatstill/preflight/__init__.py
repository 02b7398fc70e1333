"""What can be known before training: labels, shapes, the teacher's score, cost, the plan."""
