//! What a redeemed grant leaves: the record, and the tokens minted from it.
