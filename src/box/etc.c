/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of files and of secrets in /etc. Sorted. */
#include "box/etc.h"

#include <stddef.h>

#include "base/agent_proto.h"

_Static_assert(CAY_AGENT_UID == 1000 && CAY_AGENT_GID == 1000, "the files below say so");

const struct cay_etc_file cay_etc_files[] = {
	{"group", "root:x:0:\n" CAY_AGENT_USER ":x:1000:\nnogroup:x:65534:\n",
	 "the groups there are inside, not the host's"},
	{"nsswitch.conf",
	 "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
	 "services: files\nprotocols: files\n",
	 "names come from these files, not from services of the host"},
	{"passwd",
	 "root:x:0:0:root:/root:/usr/sbin/nologin\n" CAY_AGENT_USER
	 ":x:1000:1000:cay:" CAY_AGENT_HOME ":/bin/bash\n"
	 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
	 "the users there are inside, not the host's"},
	{},
};

const char *const cay_etc_hidden[] = {
	".git",
	".pwd.lock",
	"NetworkManager",
	"aws",
	"boto.cfg",
	"cloud",
	"containerd",
	"containers/auth.json",
	"credstore",
	"credstore.encrypted",
	"crypttab",
	"cups",
	"docker",
	"exports",
	"fstab",
	"group-",
	"gshadow",
	"gshadow-",
	"ipsec.d",
	"ipsec.secrets",
	"iscsi",
	"krb5.keytab",
	"kubernetes",
	"ldap/ldap.conf",
	"letsencrypt",
	"libvirt",
	"machine-id",
	"mail",
	"mtab",
	"mysql",
	"netplan",
	"nslcd.conf",
	"openvpn",
	"pam_ldap.secret",
	"passwd-",
	"postfix",
	"ppp",
	"rancher",
	"salt",
	"samba",
	"security/opasswd",
	"shadow",
	"shadow-",
	"ssh/ssh_host_dsa_key",
	"ssh/ssh_host_ecdsa_key",
	"ssh/ssh_host_ed25519_key",
	"ssh/ssh_host_rsa_key",
	"ssl/private",
	"sssd",
	"subgid",
	"subgid-",
	"subuid",
	"subuid-",
	"sudo.conf",
	"sudoers",
	"sudoers.d",
	"systemd/network",
	"wireguard",
	"wpa_supplicant",
	NULL,
};
