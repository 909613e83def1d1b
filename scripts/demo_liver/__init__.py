"""The synthetic liver SBRT patient of test_data/liver_sbrt: anatomy, image, dose, structures."""
