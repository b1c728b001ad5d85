"""Stories in Egyptian pounds: Paymob collects and pays out of a budget, and the platform holds the money between.

What Paymob, its payers and the banks do is in `paymob` and `banks`; the people of a task in `deal` and `course`; the
staff in `office`; the comparison with Paymob's own record in `checks`.
"""
