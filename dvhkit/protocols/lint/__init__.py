"""What looks wrong in a protocol that is otherwise sound."""
