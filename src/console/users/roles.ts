/** What the task roles of users allow (hmc-cli 8.4): each command says who may run it. Pure. */

/** Who may run a command: a role may run everything that the roles before it may. */
export const AUDIENCES = ["everyone", "operator", "administrator"] as const;
export type Audience = (typeof AUDIENCES)[number];

export const TASK_ROLES: Readonly<Record<string, Audience>> = { hmcviewer: "everyone", hmcoperator: "operator", hmcsuperadmin: "administrator" };
export const TASK_ROLE_NAMES = Object.keys(TASK_ROLES);

/** A user without a role, as one who was removed during a session, may do nothing. */
export function mayRun(taskRole: string, audience: Audience): boolean {
  const reach = Object.hasOwn(TASK_ROLES, taskRole) ? AUDIENCES.indexOf(TASK_ROLES[taskRole]!) : -1;
  return AUDIENCES.indexOf(audience) <= reach;
}
