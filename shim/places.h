/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sbx keeps and finds things: the run-time directory, the programs and the files they share.
 *
 *	as root		/run/sbx
 *	as a user	$XDG_RUNTIME_DIR/sbx, or /tmp/sbx-UID where that is not set
 *	SBX_ROOT=DIR	DIR/run, for either
 *
 * Programs lie beside the one that runs; shared files in ../share (a build) or ../share/sbx (an
 * installation). What is not there, as beside a shim that containerd is told to run from a directory of its
 * own, is looked for under the PREFIX that sbx was built for.
 */
#ifndef SHIM_PLACES_H
#define SHIM_PLACES_H

#include "common/err.h"

/* The run-time directory, made where missing (0700), and refused where another user owns it. */
int places_run_dir(char **ret, struct err *err);

/* sbx.conf's path; nothing is made. config.h has the places. */
int places_config(char **ret, struct err *err);

/* The path of a program of sbx's, or of a shared file ("vmlinux"). */
int places_find_program(const char *name, char **ret, struct err *err);
int places_find_share(const char *name, char **ret, struct err *err);

/* The same for a program that lies in dir, of an sbx that is installed under prefix. */
int places_look_for_program(const char *dir, const char *prefix, const char *name, char **ret,
			    struct err *err);
int places_look_for_share(const char *dir, const char *prefix, const char *name, char **ret,
			  struct err *err);

#endif
