"""What names, label maps and segments say of vertebrae."""
