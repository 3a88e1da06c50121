"""Page values to requests, jobs to page updates: one module for each part of the page."""
