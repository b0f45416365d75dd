"""Tables, figures, the participant timeline and the HTML page."""
