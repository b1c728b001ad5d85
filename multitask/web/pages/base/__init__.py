"""What all pages stand on: rendering, error pages, labels, form fields, dates, themes."""
