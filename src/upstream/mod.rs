//! One provider behind one realm: discovery, keys, sign-in (openidconnect), lookup/.
