-- Statements are append-only, also for a session that switches ordinary triggers off.

CREATE FUNCTION payments_proof_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'statements are never changed or deleted' USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER payments_proof_append_only BEFORE UPDATE OR DELETE ON payments_proofstatement
    FOR EACH ROW EXECUTE FUNCTION payments_proof_refuse();
ALTER TABLE payments_proofstatement ENABLE ALWAYS TRIGGER payments_proof_append_only;

CREATE TRIGGER payments_proof_no_truncate BEFORE TRUNCATE ON payments_proofstatement
    FOR EACH STATEMENT EXECUTE FUNCTION payments_proof_refuse();
ALTER TABLE payments_proofstatement ENABLE ALWAYS TRIGGER payments_proof_no_truncate;
