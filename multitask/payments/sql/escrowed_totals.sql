-- What escrows hold for each of their two sides, kept as escrows and refunds change, so that the wallet of somebody
-- with ten thousand open escrows answers as fast as one with none. An escrow that is funded or in dispute holds its
-- total less what was refunded, charged back and reserved for a pending refund; any other holds nothing.
-- payments/books/invariants.py compares the totals with the ledger.

CREATE FUNCTION payments_escrowed_add(p_client bigint, p_freelancer bigint, p_currency text, p_amount bigint)
RETURNS void LANGUAGE sql AS $$
    -- In the order of the users, so that commands do not deadlock over the totals.
    INSERT INTO payments_escrowedtotal AS kept (user_id, currency, amount_minor)
    VALUES (least(p_client, p_freelancer), p_currency, p_amount),
           (greatest(p_client, p_freelancer), p_currency, p_amount)
        ON CONFLICT (user_id, currency) DO UPDATE SET amount_minor = kept.amount_minor + excluded.amount_minor
$$;

CREATE FUNCTION payments_escrowed_by_escrow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_reserved bigint;
    v_before bigint := 0;
    v_after bigint := 0;
BEGIN
    SELECT coalesce(sum(amount_minor), 0) INTO v_reserved FROM payments_refund
     WHERE escrow_id = NEW.id AND source = 'escrow' AND state = 'pending';
    IF TG_OP = 'UPDATE' AND OLD.state IN ('funded', 'disputed') THEN
        v_before := OLD.total_minor - OLD.refunded_minor - OLD.charged_back_minor - v_reserved;
    END IF;
    IF NEW.state IN ('funded', 'disputed') THEN
        v_after := NEW.total_minor - NEW.refunded_minor - NEW.charged_back_minor - v_reserved;
    END IF;
    IF v_after <> v_before THEN
        PERFORM payments_escrowed_add(NEW.client_id, NEW.freelancer_id, NEW.currency, v_after - v_before);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION payments_escrowed_by_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_change bigint := 0;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'pending' THEN
        v_change := OLD.amount_minor;
    END IF;
    IF NEW.state = 'pending' THEN
        v_change := v_change - NEW.amount_minor;
    END IF;
    IF v_change <> 0 THEN
        PERFORM payments_escrowed_add(client_id, freelancer_id, currency, v_change) FROM payments_escrow
          WHERE id = NEW.escrow_id AND state IN ('funded', 'disputed');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER payments_escrow_opened AFTER INSERT ON payments_escrow
    FOR EACH ROW WHEN (NEW.state IN ('funded', 'disputed')) EXECUTE FUNCTION payments_escrowed_by_escrow();
CREATE TRIGGER payments_escrow_moved AFTER UPDATE ON payments_escrow
    FOR EACH ROW WHEN (OLD.state <> NEW.state OR OLD.total_minor <> NEW.total_minor
                       OR OLD.refunded_minor <> NEW.refunded_minor
                       OR OLD.charged_back_minor <> NEW.charged_back_minor)
    EXECUTE FUNCTION payments_escrowed_by_escrow();
CREATE TRIGGER payments_refund_reserved AFTER INSERT ON payments_refund
    FOR EACH ROW WHEN (NEW.source = 'escrow' AND NEW.state = 'pending')
    EXECUTE FUNCTION payments_escrowed_by_refund();
CREATE TRIGGER payments_refund_ended AFTER UPDATE ON payments_refund
    FOR EACH ROW WHEN (NEW.source = 'escrow' AND OLD.state <> NEW.state
                       AND (OLD.state = 'pending' OR NEW.state = 'pending'))
    EXECUTE FUNCTION payments_escrowed_by_refund();
