"""Networks that look at faces, adapted from the pictures on."""
