-- The audit trail is append-only, also for a session that switches ordinary triggers off.

CREATE FUNCTION payments_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER payments_audit_append_only BEFORE UPDATE OR DELETE ON payments_auditevent
    FOR EACH ROW EXECUTE FUNCTION payments_audit_refuse();
ALTER TABLE payments_auditevent ENABLE ALWAYS TRIGGER payments_audit_append_only;

CREATE TRIGGER payments_audit_no_truncate BEFORE TRUNCATE ON payments_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION payments_audit_refuse();
ALTER TABLE payments_auditevent ENABLE ALWAYS TRIGGER payments_audit_no_truncate;
