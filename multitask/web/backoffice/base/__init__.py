"""What every list, page and action of the back office is built on: the site, access, labels, links, confirmation."""
