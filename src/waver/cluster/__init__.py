"""Before a run is submitted: does this site serve, and what will the run cost?"""
