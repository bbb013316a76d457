"""What examples/spoken_digits.py is made of besides its network and its equations."""
