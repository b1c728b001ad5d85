"""The back office: who sees what, what each deed does, and that nothing else can be done."""
