#include "client/session.h"

#include "base/str.h"

static void
put(struct wire *wire, const char *bytes, size_t length)
{
	if (wire->out != NULL)
		str_add(wire->out, bytes, length);
	else
		conn_write(wire->conn, bytes, length);
}

static void
put_byte(struct wire *wire, char byte)
{
	if (wire->seven_bit)
		byte = (char)(byte & 0x7f);
	if (wire->column == 0 && byte == '.' && wire->dots)
		put(wire, ".", 1);
	put(wire, &byte, 1);
	wire->column++;
}

static void
put_content(struct wire *wire, char byte)
{
	/* the last place of a line waits: it is the byte itself only where the line ends after it */
	if (wire->line_limit > 2 && wire->has_held) {
		put(wire, "!\r\n ", 4);
		wire->column = 1;
		wire->has_held = false;
		put_byte(wire, wire->held);
	}
	if (wire->line_limit > 2 && wire->column == wire->line_limit - 1) {
		wire->held = byte;
		wire->has_held = true;
		return;
	}
	put_byte(wire, byte);
}

static void
end_line(struct wire *wire)
{
	if (wire->has_held)
		put_byte(wire, wire->held);
	wire->has_held = false;
	put(wire, "\r\n", 2);
	wire->column = 0;
}

/* Bytes up to the next one that needs thought, all at once; 0 when the next one does. */
static size_t
plain_run(const struct wire *wire, const char *bytes, size_t length)
{
	size_t run = 0, room = length;

	if (wire->column == 0 || wire->has_held || wire->saw_cr || wire->seven_bit)
		return 0;
	if (wire->line_limit > 2) {
		if (wire->column >= wire->line_limit - 1)
			return 0;
		if (room > wire->line_limit - 1 - wire->column)
			room = wire->line_limit - 1 - wire->column;
	}
	while (run < room && bytes[run] != '\n' && bytes[run] != '\r')
		run++;
	return run;
}

void
wire_write(struct wire *wire, const char *bytes, size_t length)
{
	while (length > 0) {
		size_t run = plain_run(wire, bytes, length);

		if (run > 0) {
			put(wire, bytes, run);
			wire->column += run;
			bytes += run;
			length -= run;
			continue;
		}
		if (*bytes == '\n') {
			wire->saw_cr = false;
			end_line(wire);
		} else {
			/* a CR that no LF follows is content */
			if (wire->saw_cr)
				put_content(wire, '\r');
			wire->saw_cr = *bytes == '\r';
			if (!wire->saw_cr)
				put_content(wire, *bytes);
		}
		bytes++;
		length--;
	}
}

void
wire_end(struct wire *wire)
{
	if (wire->saw_cr)
		put_content(wire, '\r');
	wire->saw_cr = false;
	if (wire->column > 0 || wire->has_held)
		end_line(wire);
}
