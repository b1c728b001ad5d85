"""The back office: what the staff sees of everybody's money, and the actions that its roles allow."""
