"""Control calls: what payers, banks and Paymob's staff do, and the record of all money."""
