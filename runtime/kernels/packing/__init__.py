"""The compiled packer of trellises."""
