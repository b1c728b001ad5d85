"""The back office: who sees what, what each action does, and that nothing else can be done."""
