/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a program's output and libvterm 0.1, which cannot take all of it: bytes that are no UTF-8,
 * or a character that is cut by the end of a write, leave its decoder in a state that swallows what
 * follows; REP with nothing to repeat (CSI b) makes it run for ever; more than 16 parameters damage
 * its state. So it only gets valid UTF-8, and control sequences (ECMA-48, 5.4) that are whole,
 * well-formed, of bounded length and with bounded parameters:
 *
 * - what is no UTF-8 becomes U+FFFD; a cut character waits for its rest;
 * - a sequence is collected, and handed on when its final byte comes;
 * - REP is done here, by writing the last character again;
 * - control strings (OSC, DCS, APC, PM, SOS) change nothing that can be seen: they are left out.
 */
#pragma once

#include <vterm.h>

#include "agent/utf8.h"

enum { CAY_FILTER_SEQUENCE_MAX = 64 };

struct cay_screen_filter {
	VTerm *vt; /* borrowed */
	enum {
		CAY_FILTER_TEXT,
		CAY_FILTER_ESCAPE,        /* after ESC and intermediate bytes */
		CAY_FILTER_SEQUENCE,      /* after ESC [ */
		CAY_FILTER_STRING,        /* in a control string */
		CAY_FILTER_STRING_ESCAPE, /* after ESC in one: a backslash ends it */
	} state;
	unsigned char sequence[CAY_FILTER_SEQUENCE_MAX]; /* from ESC on */
	size_t n_sequence;                               /* more than fit: it is left out */
	bool bell_ends;                                  /* the string is an OSC */
	unsigned char partial[CAY_UTF8_MAX];             /* of a character */
	size_t n_partial;
	uint32_t last; /* the last character that was shown; 0: none */
};

void cay_screen_filter_init(struct cay_screen_filter *f, VTerm *vt);
void cay_screen_filter_reset(struct cay_screen_filter *f);
void cay_screen_filter_write(struct cay_screen_filter *f, const void *data, size_t n);

/* To be told of every character that libvterm shows. */
void cay_screen_filter_glyph(struct cay_screen_filter *f, uint32_t c);
