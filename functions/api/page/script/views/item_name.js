// What an item is called: its address, else its caller's name for it, else its id.

/** An item may be sent with anything for its url. */
export const addressOf = ({ input }) => (typeof input?.url === "string" ? input.url : null);
export const nameOf = (item) => addressOf(item) ?? item.custom_id ?? item.item_id;
