"""The wallet, the transactions, statements and their exports."""
