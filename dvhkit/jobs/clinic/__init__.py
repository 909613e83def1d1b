"""What comes in from the clinic and what is filed back."""
